// No recorder at all: what the page costs by itself.
