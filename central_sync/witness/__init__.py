"""The centre as a witness: checkpoints of its log, sealed segments, archives for auditors."""
