"""What the centre offers over HTTP: uploads, and the record, results and fleet as JSON."""
