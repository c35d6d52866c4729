----------------------------- MODULE Handover -----------------------------
(* Two epochs of four replicas each. `Stay` are honest in both, `Leave` in the first and `Join` in the second; each *)
(* set has one faulty member besides. In an epoch to whose set a replica does not belong, no rule binds its key.    *)
EXTENDS Jolteon, TLC

CONSTANTS Stay, Leave, Join

EveryHonest == Stay \cup Leave \cup Join
TwoMemberships == <<Stay \cup Leave, Stay \cup Join>>
Set(honest, free) == [honest |-> honest, free |-> free, quorum |-> 3]

(* The mutant takes a certificate of the second epoch also if it is right by the first one's set: the keys of those *)
(* who left, and of its faulty member, sign what they like by then.                                                 *)
TwoSets == <<
  {Set(Stay \cup Leave, 1)},
  {Set(Stay \cup Join, 1)} \cup IF Mutant = "WrongSet" THEN {Set(Stay, Cardinality(Leave) + 1)} ELSE {}>>

Symmetry == Permutations(Stay) \cup Permutations(Leave) \cup Permutations(Join)
============================================================================
