"""The building blocks of DAG files: defaults, tasks and task groups."""
