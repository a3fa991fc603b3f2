"""One file per revision; its number says its place."""
