"""What DAG files put together: defaults, tasks and task groups."""
