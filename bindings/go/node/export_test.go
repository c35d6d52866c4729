package node

// Held counts the plugins, instances and functions for logs that C has not let go of.
func Held() [3]int64 {
	return [3]int64{held.plugins.Load(), held.instances.Load(), held.logs.Load()}
}
