------------------------------- MODULE Epoch -------------------------------
(* One epoch: `Honest` and so many `Faulty` replicas, which together are the set. *)
EXTENDS Jolteon, TLC

CONSTANT Faulty

Count == Cardinality(Honest) + Faulty
FaultyMax == IF Mutant = "Quorum" THEN Count \div 3 ELSE (Count - 1) \div 3
OneSet == <<{[honest |-> Honest, free |-> Faulty, quorum |-> Count - FaultyMax]}>>
OneMembership == <<Honest>>

Symmetry == Permutations(Honest)
============================================================================
