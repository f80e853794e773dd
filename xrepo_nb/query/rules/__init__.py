"""Rules of optimisation: small pure functions on plans that keep rows, order and errors."""
