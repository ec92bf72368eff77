"""What the bench of lanes serves beside Rootstock itself: an echo lane, bare endpoints to compare with, streams."""
