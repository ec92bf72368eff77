"""What runs inside a Celery worker: the runtime, the engine on the shared base, the lanes, the trainer."""
