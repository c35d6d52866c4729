"""Leaves that are no evidence: logged, signed and cosigned as if they were.

Where a line of the spec or of an outcome is wrong, the job, the digests and the builders' signatures follow it, so
that a verifier without this one rule would accept the proof.
"""

from .accepted import largest_spec
from .formats import (
    ORIGIN, Absent, Artifact, Evidence, Outcome, Reveal, Spec, agreeing, base64, built, content, key, lone, policy,
    sha256, some, swap)

NOT_EVIDENCE = 15
DATA = content("libitoa.rlib")
FIRST = b"synchronicity-evidence/v1\n"


def tight(**settings):
    """The evidence of the lone builder."""
    settings.setdefault("reproducers", 1)
    settings.setdefault("reports", [Reveal("dee", settings.pop("outcome", None) or built(spec=settings.get("spec")))])
    return Evidence(**settings)


def add_header(corpus, refuse):
    def edited(name, why, old, new, **settings):
        refuse(name, why, tight(edit=swap(old, new), **settings))

    edited("version-2", "The first line names another version", FIRST, b"synchronicity-evidence/v2\n")
    edited("newline-first", "An empty line stands first", FIRST, b"\n" + FIRST)
    edited("carriage-return", "The first line ends in a carriage return", FIRST, FIRST[:-1] + b"\r\n")
    edited("group-missing", "The group is missing", b"group vectors.example\n", b"")
    edited("group-twice", "The group stands twice", b"group vectors.example\n", b"group vectors.example\n" * 2)
    edited(
        "epoch-before-group",
        "Epoch and group are swapped",
        b"group vectors.example\nepoch 1\n",
        b"epoch 1\ngroup vectors.example\n",
    )
    for name, value in (("epoch", b"1"), ("height", b"42"), ("time", b"1790000000000")):
        old = b"\n" + name.encode() + b" " + value + b"\n"
        edited(f"{name}-missing", f"The {name} is missing", old, b"\n")
    edited("epoch-leading-zero", "The epoch has a leading zero", b"epoch 1\n", b"epoch 01\n")
    edited("epoch-65-bits", "The epoch has 65 bits", b"epoch 1\n", b"epoch 18446744073709551616\n")
    edited("epoch-minus", "The epoch is negative", b"epoch 1\n", b"epoch -1\n")
    edited("epoch-empty", "The epoch is empty", b"epoch 1\n", b"epoch \n")
    edited("time-fraction", "The time is a fraction", b"time 1790000000000\n", b"time 1790000000.000\n")
    for name, submitter, why in (
        ("empty", b"", "empty"),
        ("dot", b"a.da", "with a dot"),
        ("65-bytes", b"s" * 65, "of 65 bytes"),
        ("two-words", b"ada bob", "of two words"),
        ("accent", "ad\u00e1".encode(), "with an accent"),
    ):
        refuse(f"submitter-{name}", f"The submitter is a name {why}", tight(submitter=submitter))
    refuse("reproducers-zero", "No builder has to agree", tight(reproducers=0, verdict="reproduced"))
    refuse(
        "reproducers-more-than-builders",
        "More have to agree than there are",
        tight(reproducers=2, verdict="inconclusive"),
    )
    refuse(
        "reproducers-101", "More have to agree than a group has members", tight(reproducers=101, verdict="inconclusive")
    )
    edited("reproducers-leading-zero", "The threshold has a leading zero", b"\nreproducers 1\n", b"\nreproducers 01\n")
    edited("verdict-unknown", "The verdict is no word that is known", b"verdict reproduced", b"verdict fine")
    edited("verdict-capital", "The verdict begins with a capital", b"verdict reproduced", b"verdict Reproduced")
    edited("verdict-missing", "The verdict is missing", b"verdict reproduced\n", b"")
    edited("agreeing-101", "More agree than a group has members", b"agreeing 1\n", b"agreeing 101\n")
    edited("agreeing-leading-zero", "The count has a leading zero", b"agreeing 1\n", b"agreeing 01\n")
    lines = Spec().encode().count(b"\n")
    for name, number, why in (
        ("zero", 0, "no line"),
        ("less", lines - 1, "a line less"),
        ("more", lines + 1, "a line more"),
        ("huge", 2**63, "2^63 lines"),
        ("leading-zero", f"0{lines}", "a leading zero"),
    ):
        edited(
            f"spec-lines-{name}",
            f"The count of the spec's lines has {why}",
            b"\nspec %d\n" % lines,
            b"\nspec %s\n" % str(number).encode(),
        )
    for name, tail, why in (
        ("newline", b"\n", "an empty line"),
        ("word", b"more\n", "an unknown line"),
        ("zero", b"\0", "a zero byte"),
        ("outcome", b"outcome %s 0\n" % bytes(32).hex().encode(), "an outcome"),
    ):
        refuse(f"trailing-{name}", f"Behind the builders stands {why}", tight(edit=lambda text, tail=tail: text + tail))
    refuse("last-newline", "The last newline is missing", tight(edit=lambda text: text[:-1]))
    refuse("builders-missing", "The builders are missing", tight(edit=lambda text: text[: text.index(b"outcome ")]))
    whole = tight().encode()
    refuse(
        "carriage-returns",
        "Every line ends in a carriage return",
        tight(edit=lambda text: text.replace(b"\n", b"\r\n")),
    )
    refuse("spaces-doubled", "Two spaces divide key and value", tight(edit=swap(b"height 42", b"height  42")))
    refuse("tab", "A tab divides key and value", tight(edit=swap(b"height 42", b"height\t42")))
    refuse("trailing-space", "A space stands behind a value", tight(edit=swap(b"height 42", b"height 42 ")))

    def refuse_leaf(name, why, leaf):
        corpus.refuse(f"evidence-{name}", NOT_EVIDENCE, why, lone(leaf=leaf), sha256(DATA), "one")

    refuse_leaf("empty-leaf", "The leaf is empty, and the log has it so", b"")
    refuse_leaf("other-text", "The leaf is some other text", b"no evidence\n")
    refuse_leaf("half", "The leaf is the first half of evidence", whole[: len(whole) // 2])
    refuse_leaf("spec-alone", "The leaf is a spec", Spec().encode())
    refuse_leaf("twice", "The leaf is evidence twice", whole + whole)


def add_origin(corpus, refuse):
    """Names that no group may have, though log, witnesses and builders all bear them."""
    for name, origin, why in (
        ("capitals", b"Vectors.Example", "in capitals"),
        ("dot-last", b"vectors.example.", "with a dot at the end"),
        ("two-dots", b"vectors..example", "with an empty label"),
        ("dash-first", b"-vectors.example", "with a dash first"),
        ("underscore", b"vectors_example", "with an underscore"),
        ("254-bytes", b"o" * 254, "of 254 bytes"),
        ("slash", b"vectors.example/log", "with a path"),
        ("accent", "v\u00e9ctors.example".encode(), "with an accent"),
    ):
        policy_name = corpus.policy(f"origin-{name}", policy(("ada",), ("dee",), ("dee",), 1, 1, origin))
        corpus.refuse(
            f"evidence-origin-{name}",
            NOT_EVIDENCE,
            f"The group has a name {why}",
            lone(tight(group=origin), origin=origin),
            sha256(DATA),
            policy_name,
        )


def add_spec(corpus, refuse):
    def spec(name, why, **settings):
        made = Spec(**settings)
        refuse(f"spec-{name}", why, tight(spec=made))

    def source(purl, origin=b"o", tree=None, claim=None):
        return purl, tree or sha256(purl), claim, origin

    spec("version-2", "The spec's first line names another version", edit=swap(b"-spec/v1", b"-spec/v2"))
    spec("package-missing", "The package is missing", edit=swap(b"package pkg:cargo/itoa@1.0.1\n", b""))
    for name, purl, why in (
        ("no-scheme", b"cargo/itoa@1.0.1", "without its scheme"),
        ("no-version", b"pkg:cargo/itoa", "without a version"),
        ("empty-version", b"pkg:cargo/itoa@", "with an empty version"),
        ("no-type", b"pkg:itoa@1", "without a type"),
        ("empty-part", b"pkg:cargo//itoa@1", "with an empty part"),
        ("empty-type", b"pkg:/itoa@1", "with an empty type"),
        ("type-dot", b"pkg:.cargo/itoa@1", "whose type begins with a dot"),
        ("type-escape", b"pkg:c%61rgo/itoa@1", "whose type has an escape"),
        ("namespace-dots", b"pkg:deb/../itoa@1", "whose namespace is two dots"),
        ("namespace-dash", b"pkg:deb/a/-b/itoa@1", "whose namespace has a part that begins with a dash"),
        ("dots-behind-namespace", b"pkg:deb/a/..@1", "whose name is two dots behind a namespace"),
        ("dots", b"pkg:cargo/..@1", "whose name is two dots"),
        ("dot-version", b"pkg:cargo/itoa@.1", "whose version begins with a dot"),
        ("dash", b"pkg:cargo/-itoa@1", "whose name begins with a dash"),
        ("escape", b"pkg:cargo/it%6fa@1", "with an escape"),
        ("qualifier", b"pkg:cargo/itoa@1?a=b", "with a qualifier"),
        ("two-versions", b"pkg:cargo/itoa@1@2", "with two versions"),
        ("capital-scheme", b"PKG:cargo/itoa@1", "in capitals"),
        ("256-bytes", b"pkg:t/" + b"n" * 248 + b"@1", "of 256 bytes"),
        ("accent", "pkg:cargo/it\u00f3a@1".encode(), "with an accent"),
    ):
        spec(f"purl-{name}", f"The package is a purl {why}", package=purl, sources=[source(purl)])
    spec("package-not-a-source", "The package is none of the sources", package=b"pkg:cargo/itoa@1.0.2")
    spec("sources-none", "The sources are missing", sources=[])
    two = [source(b"pkg:cargo/a@1"), source(b"pkg:cargo/itoa@1.0.1")]
    spec("sources-unsorted", "The sources are not sorted", sources=two[::-1])
    spec("source-twice", "A source stands twice", sources=[two[1], two[1]])
    spec(
        "source-folder-twice",
        "Two sources have one folder",
        sources=[source(b"pkg:cargo/a@1"), source(b"pkg:deb/a@1"), two[1]],
    )
    spec(
        "source-folder-runs-together",
        "Two sources' names and versions run together alike",
        sources=[source(b"pkg:cargo/a-1@2"), source(b"pkg:cargo/a@1-2"), two[1]],
    )
    spec("source-origin-empty", "A source's origin is empty", sources=[source(two[1][0], b"")])
    spec("source-origin-space", "A source's origin has a space", sources=[source(two[1][0], b"a b")])
    spec("source-origin-256-bytes", "A source's origin has 256 bytes", sources=[source(two[1][0], b"o" * 256)])
    spec("source-origin-accent", "A source's origin has an accent", sources=[source(two[1][0], "\u00e9".encode())])
    tree = sha256(two[1][0]).hex().encode()
    spec("source-tree-capitals", "A tree's digest is in capitals", sources=two[1:], edit=swap(tree, tree.upper()))
    spec("source-tree-short", "A tree's digest has 62 digits", sources=two[1:], edit=swap(tree, tree[:-2]))
    spec("source-tree-missing", "A tree is `-`", sources=two[1:], edit=swap(tree, b"-"))
    spec("source-claim-missing", "A claim is missing", sources=two[1:], edit=swap(b" - o\n", b" o\n"))
    spec(
        "source-claim-short", "A claim has 62 digits", sources=two[1:], edit=swap(b" - o\n", b" " + tree[2:] + b" o\n")
    )
    toolchain = sha256("toolchain").hex().encode()
    spec("toolchain-capitals", "The toolchain's digest is in capitals", edit=swap(toolchain, toolchain.upper()))
    spec("toolchain-missing", "The toolchain is `-`", edit=swap(toolchain, b"-"))
    spec("rebuild-leading-zero", "The rebuild's number has a leading zero", edit=swap(b"rebuild 0", b"rebuild 00"))
    for name, target in (("empty", b""), ("space", b"a b"), ("slash", b"a/b"), ("129-bytes", b"t" * 129)):
        spec(f"target-{name}", f"The target is {name}", target=target)
    for name, profile in (("empty", b""), ("plus", b"a+b"), ("65-bytes", b"p" * 65)):
        spec(f"profile-{name}", f"The profile is {name}", profile=profile)
    for name, features, why in (
        ("unsorted", [b"b", b"a"], "not sorted"),
        ("twice", [b"a", b"a"], "not distinct"),
        ("empty", [b""], "one of no bytes"),
        ("comma", [b"a,b"], "one with a comma"),
        ("129-bytes", [b"f" * 129], "one of 129 bytes"),
        ("space", [b"a b"], "one with a space"),
        ("257", [b"%03d" % i for i in range(257)], "257"),
    ):
        spec(f"features-{name}", f"The features are {why}", features=features)
    spec(
        "features-behind-sources",
        "The features stand behind the sources",
        edit=lambda text: text.replace(b"feature std\n", b"").replace(b"lock ", b"feature std\nlock "),
    )
    spec("lock-empty", "The lock is empty", edit=swap(b"lock -\n", b"lock \n"))
    spec("lock-missing", "The lock is missing", edit=swap(b"lock -\n", b""))
    spec("lock-short", "The lock has 62 digits", edit=swap(b"lock -\n", b"lock " + b"0" * 62 + b"\n"))
    for name, variables, why in (
        ("unsorted", [(b"B", b""), (b"A", b"")], "not sorted"),
        ("twice", [(b"A", b"1"), (b"A", b"2")], "not distinct"),
        ("digit", [(b"9A", b"")], "one that begins with a digit"),
        ("no-name", [(b"", b"x")], "one without a name"),
        ("dash", [(b"A-B", b"")], "one with a dash"),
        ("name-65-bytes", [(b"A" * 65, b"")], "one of 65 bytes"),
        ("value-1025-bytes", [(b"A", b"v" * 1025)], "one with a value of 1025 bytes"),
        ("value-tab", [(b"A", b"\t")], "one with a tab"),
        ("value-accent", [(b"A", b"\xc3\xa9")], "one with an accent"),
        ("value-zero", [(b"A", b"\0")], "one with a zero byte"),
        ("65", [(b"A%02d" % i, b"") for i in range(65)], "65"),
    ):
        spec(f"environment-{name}", f"The environment's variables are {why}", environment=variables)
    spec("environment-no-equals", "A variable has no equals sign", edit=swap(b"LC_ALL=C", b"LC_ALL"))
    for name, most in (
        ("wall-seconds", 604800),
        ("cpu-seconds", 604800000),
        ("memory-bytes", 2**50),
        ("processes", 2**22),
        ("disk-bytes", 2**50),
        ("transcript-bytes", 2**40),
    ):
        spec(f"{name}-zero", f"The limit {name} is 0", limits={**Spec().limits, name: 0})
        spec(f"{name}-more", f"The limit {name} is one more than may be", limits={**Spec().limits, name: most + 1})
    spec(
        "limits-swapped",
        "Two limits are swapped",
        edit=swap(b"wall-seconds 600\ncpu-seconds 1200\n", b"cpu-seconds 1200\nwall-seconds 600\n"),
    )
    spec("limit-missing", "A limit is missing", edit=swap(b"processes 256\n", b""))
    spec("recipe-empty", "The recipe is empty", recipe=b"")
    spec("recipe-not-base64", "The recipe is plain text", edit=swap(base64(Spec().recipe), b"make\n"[:4] + b"!"))
    spec(
        "recipe-unused-bits",
        "The recipe's base64 has unused bits that are not zero",
        recipe=b"a",
        edit=swap(b"recipe YQ==", b"recipe YR=="),
    )
    spec(
        "leaf-might-not-fit",
        "A hundred builders' evidence about the spec might take one byte more than a leaf",
        **vars(largest_spec(1)),
    )
    for name, paths, why in (
        ("unsorted", [b"libitoa.rlib", b"a"], "not sorted"),
        ("twice", [b"libitoa.rlib"] * 2, "not distinct"),
        ("absolute", [b"/libitoa.rlib"], "absolute"),
        ("parent", [b"../libitoa.rlib"], "above the folder"),
        ("parent-inside", [b"a/../libitoa.rlib"], "one with `..` inside"),
        ("dot", [b"./libitoa.rlib"], "one with `.`"),
        ("empty-part", [b"a//libitoa.rlib"], "one with an empty component"),
        ("slash-last", [b"libitoa.rlib/"], "one that ends in a slash"),
        ("empty", [b""], "empty"),
        ("tab", [b"libitoa\t.rlib"], "one with a tab"),
        ("zero", [b"libitoa.rlib\0"], "one with a zero byte"),
        ("accent", ["libit\u00f3a.rlib".encode()], "one with an accent"),
        ("delete", [b"a\x7f"], "one with a delete"),
        ("invalid-utf-8", [b"libitoa\xff"], "one that is not UTF-8"),
        ("256-bytes", [b"p" * 256], "one of 256 bytes"),
    ):
        spec(f"artifacts-{name}", f"The artifacts' paths are {why}", artifacts=paths)
    spec("artifacts-none", "The artifacts are missing", artifacts=[])
    # With a failure in place of artifacts, the spec alone is wrong, and the outcome's own rules do not help.
    for name, paths, why in (
        ("none", [], "missing"),
        ("unsorted", [b"b", b"a"], "not sorted"),
        ("twice", [b"a", b"a"], "not distinct"),
        ("parent", [b"../a"], "above the folder"),
        ("absolute", [b"/a"], "absolute"),
    ):
        refuse(
            f"spec-failed-artifacts-{name}",
            f"A job failed whose artifacts' paths are {why}",
            tight(spec=Spec(artifacts=paths), outcome=Outcome(failed="exit-status 1")),
        )
    spec("trailing", "An unknown line stands behind the artifacts", edit=lambda text: text + b"more\n")


def add_outcomes(corpus, refuse):
    good = built()

    def outcome(name, why, edit=None, artifacts=None):
        made = Outcome(artifacts or good.artifacts, edit=edit)
        refuse(f"outcome-{name}", why, tight(outcome=made))

    digest = good.artifacts[0].sha256.hex().encode()
    outcome("version-2", "The outcome's first line names another version", swap(b"-outcome/v1", b"-outcome/v2"))
    outcome("not-built", "The outcome says neither built nor failed", swap(b"built\n", b"made\n"))
    outcome("built-twice", "The outcome says built twice", swap(b"built\n", b"built\nbuilt\n"))
    outcome("unsorted", "Its artifacts are not sorted", artifacts=good.artifacts[::-1])
    outcome("empty", "It is built and has no artifacts", lambda text: b"".join(text.splitlines(True)[:2]))
    outcome("missing", "One of the spec's artifacts is missing", artifacts=good.artifacts[:1])
    outcome("more", "It has an artifact that the spec has not", artifacts=good.artifacts + [Artifact("z", b"z")])
    outcome("twice", "An artifact stands twice", artifacts=[good.artifacts[0]] + good.artifacts)
    outcome("other-path", "An artifact has another path than in the spec", swap(b"share/LICENSE", b"share/LICENCE"))
    outcome("parent-path", "An artifact's path leads out of the folder", swap(b"share/LICENSE", b"share/../../x"))
    for name, mode in (
        ("three-digits", b"644"),
        ("five-digits", b"00644"),
        ("no-octal", b"0888"),
        ("letters", b"rw-r"),
        ("hex", b"0x1a"),
        ("slash", b"06/4"),
    ):
        outcome(
            f"mode-{name}",
            f"An artifact's mode is {name.replace('-', ' ')}",
            lambda text, mode=mode: text.replace(b"artifact 0644", b"artifact " + mode, 1),
        )
    size = b" %d " % good.artifacts[0].size
    for name, new in (
        ("leading-zero", b" 0%d " % good.artifacts[0].size),
        ("minus", b" -1 "),
        ("empty", b"  "),
        ("65-bits", b" 18446744073709551616 "),
    ):
        outcome(
            f"size-{name}",
            f"An artifact's size is {name.replace('-', ' ')}",
            lambda text, new=new: text.replace(size, new, 1),
        )
    outcome("digest-capitals", "An artifact's digest is in capitals", swap(digest, digest.upper()))
    outcome("digest-short", "An artifact's digest has 62 digits", swap(digest, digest[:-2]))
    outcome("digest-long", "An artifact's digest has 66 digits", swap(digest, digest + b"00"))
    outcome(
        "field-missing", "An artifact's line has no mode", lambda text: text.replace(b"artifact 0644 ", b"artifact ", 1)
    )
    outcome("field-more", "An artifact's line has a fifth field", swap(b"libitoa.rlib\n", b"libitoa.rlib x\n"))

    def second(name, why, reports=None, **settings):
        reports = reports or some(*agreeing("ada", "bob", "dee"), Reveal("cyd", built("of cyd")))
        refuse(f"outcome-{name}", why, Evidence(reports, **settings), policy="four")

    def failed(name, why, reason):
        second(
            f"failed-{name}",
            f"A builder failed {why}",
            some(*agreeing("ada", "bob", "dee"), Reveal("cyd", Outcome(failed=reason))),
        )

    failed("status-0", "with the exit status 0", "exit-status 0")
    failed("status-256", "with the exit status 256", "exit-status 256")
    failed("signal-0", "by the signal 0", "signal 0")
    failed("signal-128", "by the signal 128", "signal 128")
    failed("unknown", "in a way that is not known", "luck")
    failed("limit-with-number", "over a limit that has a number", "memory 1")
    failed("status-missing", "with an exit status that is missing", "exit-status")
    failed("other-artifact", "over an artifact that the spec has not", "missing-artifact other")
    failed("parent-path", "over a path that leads out of the folder", "bad-artifact ../x")
    failed("name-missing", "with a name that is missing", "recipe")
    failed("name-empty", "with an empty name", "recipe ")
    failed("name-of-capitals", "with a name in capitals", "recipe Needs-network")
    failed("name-of-two-words", "with a name of two words", "recipe needs network")
    failed("name-with-digit-first", "with a name that begins with a digit", "recipe 1-needs-network")
    failed("name-with-hyphen-first", "with a name that begins with a hyphen", "recipe -needs-network")
    failed("name-with-underscore", "with a name that has an underscore", "recipe needs_network")
    failed("name-too-long", "with a name of 64 letters", "recipe " + "a" * 64)
    failed("name-with-return", "with a carriage return behind its name", "recipe needs-network\r")
    cyd = built("of cyd")
    second("listed-first", "The outcome of fewer builders stands first", outcomes=[cyd, good])
    pair = sorted([built("x"), built("y")], key=lambda made: made.digest)
    five = agreeing("ada", "bob", "dee") + [Reveal("x", pair[0]), Reveal("y", pair[1])]
    second(
        "ties-unsorted", "Two outcomes of one builder each are not sorted by digest", five, outcomes=[good] + pair[::-1]
    )
    second(
        "of-nobody",
        "An outcome that no builder revealed is listed",
        some(*agreeing("ada", "bob", "dee")),
        outcomes=[good, cyd],
    )
    second("listed-twice", "An outcome is listed twice", some(*agreeing("ada", "bob", "dee")), outcomes=[good, good])
    second("first-by-digest", "The agreed outcome is listed by its digest alone", digest_only=(0,))
    second("full-behind-digest", "An outcome in full stands behind one by its digest", five, digest_only=(1,))
    other = Outcome(good.artifacts)
    other.digest = sha256("another outcome")
    refuse("outcome-other-digest", "The outcome's text is not the one of its digest", tight(outcome=other))
    lines = b" %d\nsynchronicity-outcome" % good.text.count(b"\n")
    for name, new, why in (
        ("less", b" 3\nsynchronicity-outcome", "a line less"),
        ("more", b" 5\nsynchronicity-outcome", "a line more"),
        ("1003", b" 1003\nsynchronicity-outcome", "1003 lines"),
        ("leading-zero", b" 04\nsynchronicity-outcome", "a leading zero"),
        ("missing", b"\nsynchronicity-outcome", "no number"),
    ):
        refuse(f"outcome-lines-{name}", f"The count of the outcome's lines has {why}", tight(edit=swap(lines, new)))


def add_builders(corpus, refuse):
    def line(name, why, old, new):
        refuse(f"builder-{name}", why, tight(edit=swap(old, new)))

    def four(name, why, reports, **settings):
        refuse(f"builder-{name}", why, Evidence(reports, **settings), policy="four")

    given = [Reveal("ada"), Reveal("bob"), Absent("cyd"), Reveal("dee")]
    four("unsorted", "The builders are not sorted", given[::-1], is_sorted=False)
    four(
        "absent-unsorted",
        "The absent stand behind the others",
        [given[0], given[1], given[3], given[2]],
        is_sorted=False,
    )
    four("twice", "A builder stands twice", [given[0], given[0]] + given[1:], count=3, is_sorted=False)
    four(
        "twice-otherwise",
        "A builder stands twice with other words",
        [given[0], Reveal("ada", kernel=b"Linux 6.2.0"), given[1], given[2]],
    )
    four("present-and-absent", "A builder is both present and absent", given[:2] + [Absent("dee"), given[3]])
    four("absent-twice", "An absent builder stands twice", given + [Absent("cyd")])
    names = "The builder's name is"
    dee = Reveal("dee")
    for name, new, why in (
        ("empty", b"", "empty"),
        ("dot", b"de.e", "one with a dot"),
        ("65-bytes", b"d" * 65, "one of 65 bytes"),
        ("accent", b"d\xc3\xa9e", "one with an accent"),
        ("plus", b"d+ee", "one with a plus"),
    ):
        refuse(
            f"builder-name-{name}",
            f"{names} {why}",
            Evidence(agreeing("ada", "bob", "dee") + [Reveal(new, signer=key("cyd", "builder"))]),
            policy="four",
        )
        if name in ("dot", "65-bytes"):
            refuse(
                f"absent-name-{name}",
                f"An absent {names[4:]} {why}",
                Evidence(agreeing("ada", "bob", "dee") + [Absent(new)]),
                policy="four",
            )
    line("number-unlisted", "The builder's outcome is not listed", b"builder dee 0 ", b"builder dee 1 ")
    line("number-leading-zero", "The outcome's number has a leading zero", b"builder dee 0 ", b"builder dee 00 ")
    line("number-minus", "The outcome's number is negative", b"builder dee 0 ", b"builder dee -0 ")
    line("number-missing", "The outcome's number is missing", b"builder dee 0 ", b"builder dee ")
    for name, nonce in (("31-bytes", bytes(31)), ("33-bytes", bytes(33)), ("empty", b"")):
        refuse(
            f"builder-nonce-{name}",
            f"The nonce is of {name.replace('-', ' ')}",
            tight(reports=[Reveal("dee", nonce=nonce)]),
        )
    nonce = base64(dee.nonce)
    line(
        "nonce-unused-bits",
        "The nonce's base64 has unused bits that are not zero",
        nonce,
        nonce[:-2] + bytes([nonce[-2] + 1]) + nonce[-1:],
    )
    line("nonce-without-padding", "The nonce has no padding", nonce, nonce[:-1])
    for name, signature in (("63-bytes", bytes(63)), ("65-bytes", bytes(65))):
        refuse(
            f"builder-signature-{name}",
            f"The signature is of {name.replace('-', ' ')}",
            tight(reports=[Reveal("dee", signature=signature)]),
        )
    signature = base64(dee.signature_on(ORIGIN, sha256(Spec().encode())))
    line(
        "signature-unused-bits",
        "The signature's base64 has unused bits that are not zero",
        signature,
        signature[:-3] + bytes([signature[-3] + 1]) + signature[-2:],
    )
    line("signature-without-padding", "The signature has no padding", signature, signature[:-2])
    line("signature-missing", "The signature is missing", signature + b" ", b"")
    line("two-parts", "The builder's words have two parts", b"|Linux 6.1.0", b"")
    line("four-parts", "The builder's words have four parts", b"|Linux 6.1.0", b"|Linux 6.1.0|more")
    for part, most in (("sandbox", 32), ("processor", 64), ("kernel", 48)):
        for name, said, why in (("empty", b"", "empty"), ("long", b"x" * (most + 1), f"{most + 1} bytes long")):
            refuse(
                f"builder-{part}-{name}",
                f"What it says of its {part} is {why}",
                tight(reports=[Reveal("dee", **{part: said})]),
            )
    for name, said, why in (
        ("space-first", b" Linux", "begins with a space"),
        ("space-last", b"Linux ", "ends in a space"),
        ("tab", b"Linux\t6", "has a tab"),
        ("accent", b"Linux \xc3\xa9", "has an accent"),
        ("zero", b"Linux\0", "has a zero byte"),
        ("delete", b"Linux\x7f", "has a delete"),
        ("carriage-return", b"Linux\r", "ends in a carriage return"),
        ("escape", b"\x1b[31mLinux", "has an escape"),
    ):
        refuse(
            f"builder-kernel-{name}", f"What it says of its kernel {why}", tight(reports=[Reveal("dee", kernel=said)])
        )
    four(
        "absent-unknown",
        "A builder is absent for a reason that is not known",
        agreeing("ada", "bob", "dee") + [Absent("cyd", "holiday")],
    )
    four(
        "absent-no-reason",
        "A builder is absent without a reason",
        agreeing("ada", "bob", "dee") + [Absent("cyd")],
        edit=swap(b"absent cyd no-reveal\n", b"absent cyd\n"),
    )
    four(
        "absent-two-reasons",
        "A builder is absent for two reasons",
        agreeing("ada", "bob", "dee") + [Absent("cyd", "no-commitment no-reveal")],
    )
    hundred = [Absent("m%03d" % i) for i in range(98)] + agreeing("ada", "bob", "dee")
    four("101", "There are 101 builders", hundred)


def add(corpus):
    digest = corpus.content(DATA)

    def refuse(name, why, evidence, policy="one"):
        cosigners = ("dee",) if policy == "one" else ("ada", "bob", "dee")
        corpus.refuse(
            f"evidence-{name}",
            NOT_EVIDENCE,
            why,
            lone(evidence, cosigners=cosigners),
            asked(evidence) or digest,
            policy,
        )

    for part in (add_header, add_origin, add_spec, add_outcomes, add_builders):
        part(corpus, refuse)


def asked(evidence):
    """The digest of the first artifact, so that the artifact is no second reason."""
    artifacts = evidence.outcomes[0].artifacts if evidence.outcomes else []
    return artifacts[0].sha256 if artifacts else None
