"""How Django writes dates and times, in place of what comes with each language (settings.FORMAT_MODULE_PATH)."""
