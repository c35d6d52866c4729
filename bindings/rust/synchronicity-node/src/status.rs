use synchronicity_node_sys as sys;

/// Where a node is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NodeState {
    /// Made, and not started.
    Created,
    /// Takes part.
    Running,
    /// Ends.
    Stopping,
    /// Has ended, or did not start.
    Stopped,
    /// A number that is newer than this crate.
    Unknown(i32),
}

impl NodeState {
    fn from_number(number: i32) -> Self {
        match number {
            sys::SYNC_NODE_CREATED => NodeState::Created,
            sys::SYNC_NODE_RUNNING => NodeState::Running,
            sys::SYNC_NODE_STOPPING => NodeState::Stopping,
            sys::SYNC_NODE_STOPPED => NodeState::Stopped,
            unknown => NodeState::Unknown(unknown),
        }
    }
}

/// The node at a glance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeStatus {
    /// Where it is not [`NodeState::Running`], the rest is zero.
    pub state: NodeState,
    /// Signs nothing, since its journal may be older than what it has signed.
    pub is_observing: bool,
    /// One membership.
    pub epoch: u64,
    /// One leader's turn.
    pub view: u64,
    /// Of the last decided block.
    pub height: u64,
    /// Leaves.
    pub log_size: u64,
    /// Of the newest checkpoint that a quorum has cosigned.
    pub checkpoint_size: u64,
    /// Jobs that are not through.
    pub open_jobs: u32,
    /// Other members to whom a connection stands.
    pub connected_peers: u32,
    /// Members.
    pub replicas: u32,
    /// How many of them decide.
    pub quorum: u32,
}

impl NodeStatus {
    pub(crate) fn from_raw(raw: &sys::sync_node_status) -> Self {
        Self {
            state: NodeState::from_number(raw.state),
            is_observing: raw.is_observing != 0,
            epoch: raw.epoch,
            view: raw.view,
            height: raw.height,
            log_size: raw.log_size,
            checkpoint_size: raw.checkpoint_size,
            open_jobs: raw.open_jobs,
            connected_peers: raw.connected_peers,
            replicas: raw.replicas,
            quorum: raw.quorum,
        }
    }
}
