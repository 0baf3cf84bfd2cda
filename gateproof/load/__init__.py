"""The load half: schedules, workloads, the stream reader, the recorder, and their face towards Locust."""
