"""Networks: one class a file, built from the shape of a row."""
