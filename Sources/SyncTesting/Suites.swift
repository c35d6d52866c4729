// Plugins' authors import one module: what the suites are is theirs with it.
@_exported public import PluginSuites
