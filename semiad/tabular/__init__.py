"""Tables of a user's own: files, labels, columns, and the numbers that a network is trained on."""
