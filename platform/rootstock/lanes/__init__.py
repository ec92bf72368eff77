"""The interactive fast lane, web side. The worker's side is `workers.lanes`."""
