------------------------------ MODULE Jolteon ------------------------------
(***************************************************************************)
(* The consensus: when an honest replica signs a vote or a timeout, what a *)
(* certificate is, which blocks are final, and how an epoch ends. The      *)
(* rules are those of docs/consensus-protocol.md; README.md in this folder *)
(* names the Swift function for each definition, and says why nothing is   *)
(* lost by going view by view.                                             *)
(*                                                                         *)
(* The adversary owns the network, the proposers and the faulty replicas:  *)
(* an honest replica may be shown every certificate that exists, and no    *)
(* other, and may be asked to vote for every block; of the faulty replicas *)
(* every signature exists from the start. An honest replica remembers      *)
(* nothing but its durable record, so it may have crashed and restarted    *)
(* between any two steps.                                                  *)
(***************************************************************************)
EXTENDS Integers, Sequences, FiniteSets

CONSTANTS
  Honest,    \* The replicas that follow the rules.
  Sets,      \* Sets[e]: the replica sets against which certificates of epoch e are checked; one, but for a mutant.
             \* Each is a record: its honest members, how many others sign whatever the adversary wants, its quorum.
  Members,   \* Members[e]: the honest replicas that take part in epoch e.
  ViewMax,   \* Views are 1..ViewMax; 0 is the genesis'.
  Payloads,  \* What a block may hold: 0 is nothing, other numbers are entries.
  Config,    \* The payloads that end the epoch.
  ByView,    \* Whether the signatures of a view are all made before those of the next.
  Mutant     \* The name of the one rule that is broken, or "none".

VARIABLES
  votes,      \* votes[r]: the blocks for which r has signed a vote.
  timeouts,   \* timeouts[r]: the pairs <<view, view of the QC that it shows>> of which r has signed a timeout.
  lastVoted,  \* lastVoted[r], lock[r]: the durable record, last_voted_view and one_chain_view.
  lock,
  \* What is left of views that are over, where the run goes by view:
  view,       \* The view under way; 0 where the run does not go by view.
  certified,  \* The blocks of earlier views that have a QC.
  lowestTC,   \* The lowest QC view that a TC of the view before shows; above ViewMax where there is no TC.
  \* What is left of epochs that are over:
  epoch,      \* The epoch under way.
  geneses,    \* The blocks with which its chain may begin: one, if the model is right.
  past        \* The final blocks of earlier epochs.

vars == <<votes, timeouts, lastVoted, lock, view, certified, lowestTC, epoch, geneses, past>>
Broken(rule) == Mutant = rule
Max(a, b) == IF a > b THEN a ELSE b
Min(S) == CHOOSE x \in S : \A y \in S : x <= y
NoTC == ViewMax + 1

----------------------------------------------------------------------------
(* Blocks. A block is the path to it: a sequence of <<view, payload>>. The *)
(* first is a genesis, <<0, <<log so far, whatever else is hashed>>>>. So  *)
(* a block is its own identity, as the hash chain makes it.                *)

View(b) == b[Len(b)][1]
Parent(b) == SubSeq(b, 1, Len(b) - 1)
IsAncestor(a, b) == Len(a) <= Len(b) /\ SubSeq(b, 1, Len(a)) = a
Conflict(a, b) == ~IsAncestor(a, b) /\ ~IsAncestor(b, a)

(* The entries of this epoch up to a block, and the config entries among them. *)
Entries(b) == SelectSeq([i \in 1..(Len(b) - 1) |-> b[i + 1][2]], LAMBDA payload : payload # 0)
Ends(b) == SelectSeq(Entries(b), LAMBDA payload : payload \in Config)
(* All entries: what the log's size and root stand for. *)
Log(b) == b[1][2][1] \o Entries(b)

----------------------------------------------------------------------------
(* Certificates. None is a message: one exists as soon as the signatures   *)
(* for it do.                                                              *)

IsQuorum(signers) == \E s \in Sets[epoch] : Cardinality(signers \cap s.honest) + s.free >= s.quorum

Voted == UNION {votes[r] : r \in Honest}
Certified == certified \cup {b \in Voted : IsQuorum({r \in Honest : b \in votes[r]})}

(* A TC of view v none of whose signers shows a QC above view h. The faulty signers show whatever helps. *)
ExistsTC(v, h) ==
  \/ v = view - 1 /\ lowestTC <= h
  \/ IsQuorum({r \in Honest : \E t \in timeouts[r] : t[1] = v /\ t[2] <= h})

(* What a QC makes final: the parent, where the views are consecutive. *)
Decides(b) == Broken("Consecutive") \/ View(b) = View(Parent(b)) + 1
Decided == {Parent(b) : b \in {c \in Certified : Decides(c)}}

(* The proofs that the epoch has ended, by the block that they make final, and what the next one begins with. *)
EndOfEpoch == {b \in IF Broken("Uncommitted") THEN Certified ELSE Decided : Ends(b) # <<>>}
NextGenesis(b) == <<<<0, <<Log(b), IF Broken("GenesisId") THEN b ELSE <<>>>>>>>>

----------------------------------------------------------------------------
(* What an honest replica signs.                                           *)

V1(r, v) == IF Broken("V1") THEN v >= lastVoted[r] ELSE v > lastVoted[r]

ExtendsPreviousView(v, qcView) == Broken("V2Qc") \/ qcView = v - 1
ExtendsAfterTimeout(v, qcView) ==
  /\ qcView < v - 1
  /\ ExistsTC(v - 1, IF Broken("V2Tc") THEN ViewMax ELSE qcView)

(* Once a config entry is ordered, nothing else is. *)
IsAdmitted(parent, payload) == payload = 0 \/ Ends(parent) = <<>> \/ Broken("Tail")

(* Payloads without a meaning differ by name alone, so they are used in their order. *)
IsNamedInOrder(parent, v, payload) ==
  payload \in Config
    \/ \A p \in Payloads \ Config : 0 < p /\ p < payload => Append(parent, <<v, p>>) \in Voted

Vote(r, parent, v, payload) ==
  /\ v > View(parent)
  /\ V1(r, v)
  /\ ExtendsPreviousView(v, View(parent)) \/ ExtendsAfterTimeout(v, View(parent))
  /\ IsAdmitted(parent, payload)
  /\ IsNamedInOrder(parent, v, payload)
  /\ votes' = [votes EXCEPT ![r] = @ \cup {Append(parent, <<v, payload>>)}]
  /\ lastVoted' = [lastVoted EXCEPT ![r] = v]
  /\ lock' = [lock EXCEPT ![r] = Max(@, View(parent))]
  /\ UNCHANGED <<timeouts, view, certified, lowestTC, epoch, geneses, past>>

TimeOut(r, v, qcView) ==
  /\ v >= lastVoted[r]
  /\ \A t \in timeouts[r] : t[1] # v
  /\ qcView < v
  /\ qcView >= lock[r] \/ Broken("Lock")
  /\ qcView = v - 1 \/ ExistsTC(v - 1, ViewMax)
  /\ timeouts' = [timeouts EXCEPT ![r] = @ \cup {<<v, qcView>>}]
  /\ lastVoted' = [lastVoted EXCEPT ![r] = IF Broken("TimeoutRaise") THEN @ ELSE Max(@, v)]
  /\ UNCHANGED <<votes, lock, view, certified, lowestTC, epoch, geneses, past>>

(* A crash loses what is not durable: the record too, if signatures left before it was stored. *)
Crash(r) ==
  /\ Broken("Persist")
  /\ lastVoted' = [lastVoted EXCEPT ![r] = 0]
  /\ lock' = [lock EXCEPT ![r] = 0]
  /\ UNCHANGED <<votes, timeouts, view, certified, lowestTC, epoch, geneses, past>>

Sign ==
  LET parents == Certified \cup geneses
      views == IF ByView THEN {view} ELSE 1..ViewMax
  IN \E r \in Members[epoch], v \in views :
       \/ \E parent \in parents, payload \in Payloads : Vote(r, parent, v, payload)
       \/ \E qcView \in {View(b) : b \in parents} : TimeOut(r, v, qcView)

----------------------------------------------------------------------------
(* Where the run goes by view: of a view that is over, what later ones see.*)

Forget ==
  /\ votes' = [r \in Honest |-> {}]
  /\ timeouts' = [r \in Honest |-> {}]

NextView ==
  /\ ByView /\ view < ViewMax
  /\ Forget
  /\ view' = view + 1
  /\ certified' = Certified
  /\ lowestTC' = Min({NoTC} \cup {h \in 0..ViewMax : ExistsTC(view, h)})
  /\ lastVoted' = [r \in Honest |-> view]
  /\ UNCHANGED <<lock, epoch, geneses, past>>

(* A proof that the epoch has ended starts the next one, with a fresh record. *)
NextEpoch ==
  /\ ByView /\ view = ViewMax /\ epoch < Len(Members)
  /\ EndOfEpoch # {}
  /\ Forget
  /\ epoch' = epoch + 1
  /\ geneses' = {NextGenesis(b) : b \in EndOfEpoch}
  /\ past' = past \cup Decided
  /\ view' = 1
  /\ certified' = {}
  /\ lowestTC' = NoTC
  /\ lastVoted' = [r \in Honest |-> 0]
  /\ lock' = [r \in Honest |-> 0]

Init ==
  /\ votes = [r \in Honest |-> {}]
  /\ timeouts = [r \in Honest |-> {}]
  /\ lastVoted = [r \in Honest |-> 0]
  /\ lock = [r \in Honest |-> 0]
  /\ view = IF ByView THEN 1 ELSE 0
  /\ certified = {}
  /\ lowestTC = NoTC
  /\ epoch = 1
  /\ geneses = {<<<<0, <<<<>>, <<>>>>>>>>}
  /\ past = {}

Next == Sign \/ (\E r \in Members[epoch] : Crash(r)) \/ NextView \/ NextEpoch
Spec == Init /\ [][Next]_vars

----------------------------------------------------------------------------
(* What must hold.                                                         *)

(* No two final blocks of an epoch conflict. *)
Agreement == \A a, b \in Decided : ~Conflict(a, b)

(* An honest replica signs one vote for a view, over all its lives. *)
OneVoteForAView == \A r \in Honest : \A a, b \in votes[r] : View(a) = View(b) => a = b

(* One block of a view is certified at most. *)
OneCertificateForAView == \A a, b \in Certified : View(a) = View(b) => a = b

(* The record is as high as anything signed, and every timeout shows a QC as new as the parent of anything *)
(* voted for in its view or below.                                                                         *)
RecordHolds ==
  \A r \in Honest :
    /\ \A b \in votes[r] : View(b) <= lastVoted[r] /\ View(Parent(b)) <= lock[r]
    /\ \A t \in timeouts[r] : t[1] <= lastVoted[r]
    /\ \A b \in votes[r], t \in timeouts[r] : View(b) <= t[1] => View(Parent(b)) <= t[2]

(* A block that is certified in the view of a final one or later descends from it. *)
FinalIsExtended == \A a \in Decided, b \in Certified : View(b) >= View(a) => IsAncestor(a, b)

(* Whatever proves the end of the epoch, the next one begins with the same genesis. *)
OneGenesis == Cardinality(geneses) = 1 /\ Cardinality({NextGenesis(b) : b \in EndOfEpoch}) <= 1

(* Of the final logs of all epochs, each is the beginning of each longer one. *)
OneLog == \A a, b \in past \cup Decided :
  LET m == Log(a)
      n == Log(b)
  IN \A i \in 1..Len(m) : i <= Len(n) => m[i] = n[i]

(* Must be violated: the last epoch does decide something. *)
NothingIsFinal == epoch < Len(Members) \/ Decided \subseteq geneses
============================================================================
