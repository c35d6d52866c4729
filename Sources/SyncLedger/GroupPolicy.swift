import SyncProof

extension Group {
  /// Whom a consumer believes who believes this group: each member's log key, cosigner and builder, the quorum of
  /// cosigners and the reproducers.
  ///
  /// Names in it hold the origin, so that the policies of several groups can be put together: builder
  /// `ada.builds.example`, witness `ada.builds.example/cosigner`, groups `builds.example/cosigners` and
  /// `builds.example/builders`.
  public func policy() -> Policy {
    do throws(ProofError) { return try makePolicy() } catch {
      preconditionFailure("A group has a policy, which its initializer has made once: \(error.message)")
    }
  }

  /// - Throws: ``ProofError/Code/invalidPolicy``, for all that a group can do wrong, if two members' keys share an ID:
  ///   nobody could tell their signatures apart.
  func makePolicy() throws(ProofError) -> Policy {
    var logs: [PolicyLog] = []
    var witnesses: [PolicyWitness] = []
    var builders: [PolicyBuilder] = []
    for member in members {
      let name = keyName(of: member)
      let log = try NoteKey(name: origin, kind: .ed25519, publicKey: member.logKey)
      logs.append(PolicyLog(key: log, url: member.gateway))
      let cosigner = try NoteKey(name: name, kind: .cosignatureV1, publicKey: member.cosignerKey)
      witnesses.append(PolicyWitness(name: joined(name, "/cosigner"), key: cosigner, url: member.gateway))
      let builder = try NoteKey(name: name, kind: .ed25519, publicKey: member.builderKey)
      builders.append(PolicyBuilder(name: name, key: builder))
    }
    let cosignerGroup = PolicyGroup(
      name: joined(origin, "/cosigners"), threshold: quorum, members: witnesses.map(\.name))
    let builderGroup = PolicyGroup(
      name: joined(origin, "/builders"), threshold: reproducers, members: builders.map(\.name))
    return try Policy(
      logs: logs, witnesses: witnesses, builders: builders, groups: [cosignerGroup, builderGroup],
      quorum: cosignerGroup.name, reproducers: builderGroup.name)
  }

  /// `<member>.<origin>`: the name of the member's cosigner key and of its builder key.
  public func keyName(of member: GroupMember) -> Text { joined(joined(member.name, "."), origin) }

  private func joined(_ a: Text, _ b: Text) -> Text { Text(utf8: a.utf8 + b.utf8) }
}
