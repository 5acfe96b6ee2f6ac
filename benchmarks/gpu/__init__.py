"""What is measured on a machine with a GPU, part by part: `bash scripts/gpu.sh OUT` runs the parts."""
