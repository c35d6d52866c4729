use core::ffi::c_void;

use crate::{
    c_char, sync_bytes, sync_error, sync_events, sync_node, sync_plugin, sync_registry, sync_setting, sync_status,
};

open_structs! {
    /// What the checks of a plugin want to be told.
    struct sync_check_options {
        settings: *const sync_setting,
        settings_count: usize,
        toolchain: *const c_char,
        package: *const c_char,
        with_escapes: i32,
        reserved: i32,
        allowed: *const sync_setting,
        allowed_count: usize,
    }

    /// A configuration, field by field.
    struct sync_node_configuration {
        name: *const c_char,
        group: *const c_char,
        seed: *const c_char,
        data: *const c_char,
        cache: *const c_char,
        listen_transport: *const c_char,
        plugins_sandbox: *const c_char,
        plugins_signer: *const c_char,
        plugins_storage: *const c_char,
        plugins_transport: *const c_char,
        plugins_source: *const *const c_char,
        plugins_source_count: usize,
        plugins_libraries: *const *const c_char,
        plugins_libraries_count: usize,
        plugins_folders: *const *const c_char,
        plugins_folders_count: usize,
        settings: *const sync_plugin_setting,
        settings_count: usize,
        plugins_docker_socket: *const c_char,
        plugins_exec_command: *const c_char,
        plugins_exec_arguments: *const *const c_char,
        plugins_exec_arguments_count: usize,
        plugins_exec_environment: *const *const c_char,
        plugins_exec_environment_count: usize,
        plugins_source_directory: *const c_char,
        plugins_registry: *const c_char,
        plugins_pypi_index: *const c_char,
        plugins_registry_allow_http: i32,
        plugins_exec_patience_seconds: i32,
        toolchain_digest: *const c_char,
        toolchain_cargo: *const c_char,
        toolchain_deb: *const c_char,
        toolchain_generic: *const c_char,
        toolchain_pypi: *const c_char,
        toolchain_directories: *const *const c_char,
        toolchain_directories_count: usize,
        build_memory: u64,
        build_cores: i32,
        build_concurrent: i32,
        retention_artifacts: u64,
        retention_sources: u64,
        retention_proven: *const c_char,
        retention_diverged_days: i32,
        retention_diverged_megabytes: i32,
        retention_report_days: i32,
        retention_report_megabytes: i32,
        retention_transcript_days: i32,
        retention_transcript_megabytes: i32,
        divergence_compare: *const c_char,
        divergence_toolchain: *const c_char,
        divergence_seconds: i32,
        divergence_memory_megabytes: i32,
        log_level: *const c_char,
        consensus_timeout_base_milliseconds: i32,
        reserved: i32,
    }

    /// What a node is made with, beside its configuration.
    struct sync_node_options {
        log: Option<unsafe extern "C" fn(user_data: *mut c_void, level: i32, line: *const c_char)>,
        log_user_data: *mut c_void,
        is_restored: i32,
        reserved: i32,
        destroy_log_user_data: Option<unsafe extern "C" fn(user_data: *mut c_void)>,
    }

    /// Which package is to be rebuilt.
    struct sync_submit_request {
        package: *const c_char,
        features: *const *const c_char,
        features_count: usize,
        profile: *const c_char,
        target: *const c_char,
        toolchain: *const c_char,
        rebuild: u64,
        without_default_features: i32,
        priority: i32,
    }

    /// How far a job has come.
    struct sync_job_status {
        phase: i32,
        verdict: i32,
        agreeing: u32,
        committed: u32,
        leaf_index: u64,
    }

    /// The node at a glance.
    struct sync_node_status {
        state: i32,
        is_observing: i32,
        epoch: u64,
        view: u64,
        height: u64,
        log_size: u64,
        checkpoint_size: u64,
        open_jobs: u32,
        connected_peers: u32,
        replicas: u32,
        quorum: u32,
    }

    /// What has happened.
    struct sync_event {
        kind: i32,
        dropped: u32,
        number: u64,
        job: [u8; 32],
        text: [c_char; 256],
    }
}

fixed_structs! {
    /// One of a plugin's own settings.
    struct sync_plugin_setting {
        plugin: *const c_char,
        name: *const c_char,
        value: *const c_char,
    }
}

extern "C" {
    pub fn sync_bytes_get_start(bytes: *const sync_bytes) -> *const u8;
    pub fn sync_bytes_get_size(bytes: *const sync_bytes) -> usize;
    pub fn sync_bytes_destroy(bytes: *mut sync_bytes);

    pub fn sync_registry_create(
        flags: u32,
        created: *mut *mut sync_registry,
        error: *mut *mut sync_error,
    ) -> sync_status;
    pub fn sync_registry_add(
        registry: *mut sync_registry,
        plugin: *const sync_plugin,
        user_data: *mut c_void,
        destroy_user_data: Option<unsafe extern "C" fn(user_data: *mut c_void)>,
        error: *mut *mut sync_error,
    ) -> sync_status;
    pub fn sync_registry_load(
        registry: *mut sync_registry,
        path: *const c_char,
        error: *mut *mut sync_error,
    ) -> sync_status;
    pub fn sync_registry_check(
        registry: *const sync_registry,
        name: *const c_char,
        options: *const sync_check_options,
        has_passed: *mut i32,
        report: *mut *mut sync_bytes,
        error: *mut *mut sync_error,
    ) -> sync_status;
    pub fn sync_registry_destroy(registry: *mut sync_registry);

    pub fn sync_node_create(
        configuration: *const u8,
        configuration_size: usize,
        folder: *const c_char,
        registry: *const sync_registry,
        options: *const sync_node_options,
        created: *mut *mut sync_node,
        error: *mut *mut sync_error,
    ) -> sync_status;
    pub fn sync_node_create_of_struct(
        configuration: *const sync_node_configuration,
        folder: *const c_char,
        registry: *const sync_registry,
        options: *const sync_node_options,
        created: *mut *mut sync_node,
        error: *mut *mut sync_error,
    ) -> sync_status;
    pub fn sync_node_start(node: *mut sync_node, error: *mut *mut sync_error) -> sync_status;
    pub fn sync_node_stop(node: *mut sync_node, timeout_ns: u64, error: *mut *mut sync_error) -> sync_status;
    pub fn sync_node_destroy(node: *mut sync_node);

    pub fn sync_node_submit(
        node: *mut sync_node,
        request: *const sync_submit_request,
        timeout_ns: u64,
        job: *mut u8,
        error: *mut *mut sync_error,
    ) -> sync_status;
    pub fn sync_node_get_job(
        node: *mut sync_node,
        job: *const u8,
        status: *mut sync_job_status,
        error: *mut *mut sync_error,
    ) -> sync_status;
    pub fn sync_node_wait(
        node: *mut sync_node,
        job: *const u8,
        phase: i32,
        timeout_ns: u64,
        status: *mut sync_job_status,
        error: *mut *mut sync_error,
    ) -> sync_status;
    pub fn sync_node_copy_proof(
        node: *mut sync_node,
        job: *const u8,
        created: *mut *mut sync_bytes,
        error: *mut *mut sync_error,
    ) -> sync_status;
    pub fn sync_node_copy_artifact_path(
        node: *mut sync_node,
        artifact_sha256: *const u8,
        created: *mut *mut sync_bytes,
        error: *mut *mut sync_error,
    ) -> sync_status;

    pub fn sync_node_get_status(
        node: *mut sync_node,
        status: *mut sync_node_status,
        error: *mut *mut sync_error,
    ) -> sync_status;
    pub fn sync_node_copy_status_json(
        node: *mut sync_node,
        created: *mut *mut sync_bytes,
        error: *mut *mut sync_error,
    ) -> sync_status;
    pub fn sync_node_drain(node: *mut sync_node, timeout_ns: u64, error: *mut *mut sync_error) -> sync_status;

    pub fn sync_node_subscribe(
        node: *mut sync_node,
        capacity: u32,
        created: *mut *mut sync_events,
        error: *mut *mut sync_error,
    ) -> sync_status;
    pub fn sync_node_observe(
        node: *mut sync_node,
        capacity: u32,
        observe: Option<unsafe extern "C" fn(user_data: *mut c_void, event: *const sync_event)>,
        user_data: *mut c_void,
        created: *mut *mut sync_events,
        error: *mut *mut sync_error,
    ) -> sync_status;
    pub fn sync_events_next(
        events: *mut sync_events,
        timeout_ns: u64,
        event: *mut sync_event,
        error: *mut *mut sync_error,
    ) -> sync_status;
    pub fn sync_events_close(events: *mut sync_events);
    pub fn sync_events_destroy(events: *mut sync_events);
}
