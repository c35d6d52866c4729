"""Everything that is refused, in the order in which a verifier comes to it."""

from . import refused_evidence, refused_file, refused_log, refused_order, refused_policy, refused_verdict


def add(corpus):
    for part in (refused_policy, refused_file, refused_log, refused_evidence, refused_verdict, refused_order):
        part.add(corpus)
