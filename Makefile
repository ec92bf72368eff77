lock:
	uv pip compile pyproject.toml --group test --group lint --python-version 3.11 --python-platform linux --generate-hashes --no-emit-package torch --no-header -o requirements.lock
