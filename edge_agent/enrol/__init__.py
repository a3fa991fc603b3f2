"""How a gateway becomes one, and stays one: enrolment, renewal of its certificate, farewell."""
