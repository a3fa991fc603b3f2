"""From a request's bytes to stored batches and signed receipts."""
