"""The sortie report: a flown sortie on paper, in Dutch, French and English."""
