"""The packed engine: many runs are trained as one, their weights stacked."""
