package node

// Held counts the plugins and instances that C has not let go of.
func Held() [2]int64 {
	return [2]int64{held.plugins.Load(), held.instances.Load()}
}
