from django.apps import AppConfig


class FilesConfig(AppConfig):
    """Uploads: checked, hashed, quarantined."""

    name = "rootstock.files"
    label = "files"
