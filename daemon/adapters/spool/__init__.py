"""The hand-over of events between the two processes."""
