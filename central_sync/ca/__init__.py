"""The centre's own certificate authority: certificates for gateways, and for the centre itself."""
