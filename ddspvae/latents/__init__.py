"""Playing with z: draw it, mix takes, add what sets takes apart, sweep an axis, keep the fewest axes."""
