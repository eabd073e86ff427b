"""What a study needs from outside, fetched before it is run: images, labels and weights."""
