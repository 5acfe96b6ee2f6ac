"""A method of one's own, with its network and an experiment, for semiad."""
