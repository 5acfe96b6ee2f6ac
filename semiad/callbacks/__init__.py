"""What is told of runs while they train: records, progress, loggers."""
