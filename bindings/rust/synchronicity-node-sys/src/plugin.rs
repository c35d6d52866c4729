use core::ffi::c_void;

use crate::{c_char, sync_call, sync_link, sync_status};

/// Every method of a plugin, and create: the instance or the user data, the request, the call.
pub type sync_method<Request> =
    Option<unsafe extern "C" fn(self_: *mut c_void, request: *const Request, call: *mut sync_call) -> i32>;

open_structs! {
    /// How a run ended.
    struct sync_run_result {
        ending: i32,
        status: i32,
        wall_nanoseconds: u64,
        cpu_nanoseconds: u64,
        memory_peak_bytes: u64,
    }

    /// One checked requirement.
    struct sync_finding {
        is_met: i32,
        is_weaker: i32,
        name: *const c_char,
        detail: *const c_char,
        mend: *const c_char,
    }

    /// For whom an instance is made.
    struct sync_create_request {
        node: *const c_char,
        state_directory: *const c_char,
        settings: *const sync_setting,
        settings_count: usize,
    }

    /// For methods that are asked nothing.
    struct sync_plain_request {}

    /// Which toolchain is meant.
    struct sync_toolchain_request {
        toolchain: *const c_char,
        archive: *const c_char,
    }

    /// One program to run alone.
    struct sync_run_request {
        run_id: *const c_char,
        toolchain: *const c_char,
        command: *const *const c_char,
        command_count: usize,
        environment: *const *const c_char,
        environment_count: usize,
        working_directory: *const c_char,
        mounts: *const sync_mount,
        mounts_count: usize,
        host_name: *const c_char,
        scratch_directory: *const c_char,
        wall_seconds: u64,
        cpu_seconds: u64,
        memory_bytes: u64,
        processes: u64,
        disk_bytes: u64,
        transcript_bytes: u64,
    }

    /// What a sandbox does.
    struct sync_sandbox_methods {
        probe: sync_method<sync_plain_request>,
        prepare: sync_method<sync_toolchain_request>,
        has_toolchain: sync_method<sync_toolchain_request>,
        run: sync_method<sync_run_request>,
        remove_leftovers: sync_method<sync_plain_request>,
    }

    /// What is to be signed.
    struct sync_sign_request {
        role: i32,
        reserved: i32,
        message: *const u8,
        message_size: usize,
    }

    /// What a signer does.
    struct sync_signer_methods {
        public_key: sync_method<sync_sign_request>,
        sign: sync_method<sync_sign_request>,
    }

    /// Which package is to be pinned.
    struct sync_resolve_request {
        package: *const c_char,
        features: *const *const c_char,
        features_count: usize,
        programs: *const *const c_char,
        programs_count: usize,
        library: i32,
        without_default_features: i32,
        profile: *const c_char,
        target: *const c_char,
        toolchain: *const c_char,
        rebuild: u64,
        normalise: *const *const c_char,
        normalise_count: usize,
        scratch_directory: *const c_char,
    }

    /// Which source is to be fetched.
    struct sync_fetch_request {
        purl: *const c_char,
        origin: *const c_char,
        tree_sha256: *const c_char,
        directory: *const c_char,
    }

    /// What a source does.
    struct sync_source_methods {
        type_: *const c_char,
        origin_type: *const c_char,
        resolve: sync_method<sync_resolve_request>,
        fetch: sync_method<sync_fetch_request>,
    }

    /// Which records are wanted.
    struct sync_storage_request {
        key: *const u8,
        key_size: usize,
        start: *const u8,
        start_size: usize,
        limit: u64,
    }

    /// What is to be stored.
    struct sync_apply_request {
        changes: *const sync_change,
        changes_count: usize,
        durable: i32,
        reserved: i32,
    }

    /// What a storage does.
    struct sync_storage_methods {
        get: sync_method<sync_storage_request>,
        scan: sync_method<sync_storage_request>,
        apply: sync_method<sync_apply_request>,
    }

    /// Where a transport listens, and to whom it connects.
    struct sync_listen_request {
        link: *mut sync_link,
        name: *const c_char,
        listen: *const c_char,
        group: *const u8,
        key: *const u8,
        peers: *const sync_peer,
        peers_count: usize,
    }

    /// What is to reach a peer.
    struct sync_send_request {
        peer: *const c_char,
        messages: *const sync_message,
        messages_count: usize,
    }

    /// What a transport does.
    struct sync_transport_methods {
        start: sync_method<sync_listen_request>,
        send: sync_method<sync_send_request>,
        stop: sync_method<sync_plain_request>,
    }

    /// The plugin itself.
    struct sync_plugin {
        name: *const c_char,
        version: *const c_char,
        create: sync_method<sync_create_request>,
        destroy: Option<unsafe extern "C" fn(self_: *mut c_void)>,
        sandbox: *const sync_sandbox_methods,
        signer: *const sync_signer_methods,
        source: *const sync_source_methods,
        storage: *const sync_storage_methods,
        transport: *const sync_transport_methods,
    }

    /// The functions that end and feed calls, as a table.
    struct sync_host {
        version: *const c_char,
        call_is_cancelled: Option<unsafe extern "C" fn(call: *mut sync_call) -> i32>,
        call_get_cancel_descriptor: Option<unsafe extern "C" fn(call: *mut sync_call) -> i32>,
        call_finish: Option<unsafe extern "C" fn(call: *mut sync_call) -> sync_status>,
        call_fail: Option<
            unsafe extern "C" fn(call: *mut sync_call, code: i32, message: *const c_char) -> sync_status,
        >,
        call_finish_instance: Option<unsafe extern "C" fn(call: *mut sync_call, self_: *mut c_void) -> sync_status>,
        call_finish_bytes: Option<
            unsafe extern "C" fn(call: *mut sync_call, bytes: *const c_void, size: usize) -> sync_status,
        >,
        call_finish_run: Option<
            unsafe extern "C" fn(call: *mut sync_call, result: *const sync_run_result) -> sync_status,
        >,
        call_add_transcript: Option<
            unsafe extern "C" fn(call: *mut sync_call, bytes: *const c_void, size: usize) -> sync_status,
        >,
        call_add_finding: Option<
            unsafe extern "C" fn(call: *mut sync_call, finding: *const sync_finding) -> sync_status,
        >,
        call_add_text: Option<unsafe extern "C" fn(call: *mut sync_call, text: *const c_char) -> sync_status>,
        call_add_record: Option<
            unsafe extern "C" fn(
                call: *mut sync_call,
                key: *const c_void,
                key_size: usize,
                value: *const c_void,
                value_size: usize,
            ) -> sync_status,
        >,
        link_connected: Option<unsafe extern "C" fn(link: *mut sync_link, peer: *const c_char) -> sync_status>,
        link_disconnected: Option<unsafe extern "C" fn(link: *mut sync_link, peer: *const c_char) -> sync_status>,
        link_receive: Option<
            unsafe extern "C" fn(
                link: *mut sync_link,
                peer: *const c_char,
                bytes: *const c_void,
                size: usize,
            ) -> sync_status,
        >,
        link_sign: Option<
            unsafe extern "C" fn(
                link: *mut sync_link,
                message: *const c_void,
                size: usize,
                signature: *mut u8,
            ) -> sync_status,
        >,
    }
}

fixed_structs! {
    /// One line of `[settings.NAME]`.
    struct sync_setting {
        name: *const c_char,
        value: *const c_char,
    }

    /// What of the host is seen inside.
    struct sync_mount {
        host_path: *const c_char,
        inside_path: *const c_char,
        is_writable: i32,
        reserved: i32,
    }

    /// One record to store or, without a value, to delete.
    struct sync_change {
        key: *const u8,
        key_size: usize,
        value: *const u8,
        value_size: usize,
    }

    /// One other member of the group.
    struct sync_peer {
        name: *const c_char,
        address: *const c_char,
        key: *const u8,
    }

    /// One message to a peer.
    struct sync_message {
        bytes: *const u8,
        size: usize,
    }
}

/// What a shared object exports as `sync_plugin_entry`.
pub type sync_plugin_entry_function = Option<unsafe extern "C" fn(host: *const sync_host) -> *const sync_plugin>;

extern "C" {
    pub fn sync_call_is_cancelled(call: *mut sync_call) -> i32;
    pub fn sync_call_get_cancel_descriptor(call: *mut sync_call) -> i32;
    pub fn sync_call_finish(call: *mut sync_call) -> sync_status;
    pub fn sync_call_fail(call: *mut sync_call, code: i32, message: *const c_char) -> sync_status;
    pub fn sync_call_finish_instance(call: *mut sync_call, self_: *mut c_void) -> sync_status;
    pub fn sync_call_finish_bytes(call: *mut sync_call, bytes: *const c_void, size: usize) -> sync_status;
    pub fn sync_call_finish_run(call: *mut sync_call, result: *const sync_run_result) -> sync_status;
    pub fn sync_call_add_transcript(call: *mut sync_call, bytes: *const c_void, size: usize) -> sync_status;
    pub fn sync_call_add_finding(call: *mut sync_call, finding: *const sync_finding) -> sync_status;
    pub fn sync_call_add_text(call: *mut sync_call, text: *const c_char) -> sync_status;
    pub fn sync_call_add_record(
        call: *mut sync_call,
        key: *const c_void,
        key_size: usize,
        value: *const c_void,
        value_size: usize,
    ) -> sync_status;
    pub fn sync_link_connected(link: *mut sync_link, peer: *const c_char) -> sync_status;
    pub fn sync_link_disconnected(link: *mut sync_link, peer: *const c_char) -> sync_status;
    pub fn sync_link_receive(
        link: *mut sync_link,
        peer: *const c_char,
        bytes: *const c_void,
        size: usize,
    ) -> sync_status;
    pub fn sync_link_sign(link: *mut sync_link, message: *const c_void, size: usize, signature: *mut u8)
        -> sync_status;
    /// The functions above as a table.
    pub fn sync_get_host() -> *const sync_host;
}
