"""Where curves can go: Lightning's loggers, each made to take a whole job."""
