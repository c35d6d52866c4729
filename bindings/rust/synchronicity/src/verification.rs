use synchronicity_sys as sys;

/// What the builders' reveals add up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verdict {
    /// As many builders as the log's group asks for revealed the same artifacts.
    Reproduced,
    /// Builders revealed different outcomes, and none has enough builders behind it.
    Diverged,
    /// As many builders as the group asks for revealed the same failure.
    Failed,
    /// Too few builders revealed anything.
    Inconclusive,
    /// A number that is newer than this crate.
    Unknown(i32),
}

impl Verdict {
    /// The verdict that the C interface gives as `number`.
    pub fn from_number(number: i32) -> Self {
        match number {
            sys::SYNC_VERDICT_REPRODUCED => Verdict::Reproduced,
            sys::SYNC_VERDICT_DIVERGED => Verdict::Diverged,
            sys::SYNC_VERDICT_FAILED => Verdict::Failed,
            sys::SYNC_VERDICT_INCONCLUSIVE => Verdict::Inconclusive,
            unknown => Verdict::Unknown(unknown),
        }
    }

    /// The C interface's number.
    pub fn number(self) -> i32 {
        match self {
            Verdict::Reproduced => sys::SYNC_VERDICT_REPRODUCED,
            Verdict::Diverged => sys::SYNC_VERDICT_DIVERGED,
            Verdict::Failed => sys::SYNC_VERDICT_FAILED,
            Verdict::Inconclusive => sys::SYNC_VERDICT_INCONCLUSIVE,
            Verdict::Unknown(number) => number,
        }
    }
}

/// What a proof that holds has shown. The package that it is about is [`Proof::package`](crate::Proof::package).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verification {
    /// [`Verdict::Reproduced`]: nothing else verifies.
    pub verdict: Verdict,
    /// Witnesses of the policy whose cosignatures on the checkpoint count.
    pub cosigners: u32,
    /// Builders of the policy that signed for this very artifact.
    pub reproducers: u32,
    /// Members that the evidence accounts for, present or absent.
    pub builders: u32,
    /// Zero-based number of the evidence in the log.
    pub leaf_index: u64,
    /// Leaves in the log at the checkpoint; more than `leaf_index`.
    pub tree_size: u64,
    /// Height of the decided block that gave the verdict.
    pub height: u64,
    /// That block's decided time, in milliseconds since 1970-01-01 UTC.
    pub time_milliseconds: u64,
    reproducer_bits: [u8; 16],
    cosigner_bits: [u8; 16],
}

impl Verification {
    pub(crate) fn from_raw(raw: &sys::sync_verification) -> Self {
        Self {
            verdict: Verdict::from_number(raw.verdict),
            cosigners: raw.cosigners,
            reproducers: raw.reproducers,
            builders: raw.builders,
            leaf_index: raw.leaf_index,
            tree_size: raw.tree_size,
            height: raw.height,
            time_milliseconds: raw.time_milliseconds,
            reproducer_bits: raw.reproducer_bits,
            cosigner_bits: raw.cosigner_bits,
        }
    }

    /// Whether the builder at `index` of [`Proof::builders`](crate::Proof::builders) is one of the reproducers.
    pub fn is_reproducer(&self, index: usize) -> bool {
        is_set(&self.reproducer_bits, index)
    }

    /// Whether the signature at `index` of [`Proof::signatures`](crate::Proof::signatures) is one of the cosigners'.
    pub fn is_cosigner(&self, index: usize) -> bool {
        is_set(&self.cosigner_bits, index)
    }
}

fn is_set(bits: &[u8; 16], index: usize) -> bool {
    bits.get(index / 8).map_or(false, |byte| byte & 1 << (index % 8) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_counted_from_each_byte_s_lowest_and_end_with_the_array() {
        let mut bits = [0; 16];
        bits[1] = 0b0000_0100;
        bits[15] = 0b1000_0000;
        let set: Vec<usize> = (0..200).filter(|index| is_set(&bits, *index)).collect();
        assert_eq!(set, [10, 127]);
        assert!(!is_set(&bits, usize::MAX));
    }
}
