"""Cases, custody and sealed evidence bags."""
