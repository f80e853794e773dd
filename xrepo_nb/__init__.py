"""xrepo_nb: one asynchronous repository API over every source a notebook touches."""
