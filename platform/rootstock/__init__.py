"""Rootstock: the Django project. Verticals live in `apps`, models in `models_zoo`, GPU work in `workers`."""
