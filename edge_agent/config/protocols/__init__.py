"""What each protocol adds to a device: where its points are, and how the device is spoken to."""
