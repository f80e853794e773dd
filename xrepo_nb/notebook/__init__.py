"""What a notebook needs: `sync` (methods without await), `loops`, `progress`, `display`."""
