"""What a study will take before it is run: GPU hours, processor hours, disk and transfer."""
