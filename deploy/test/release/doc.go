// Package releasetest makes a release and looks at all of it: that the same commit gives the same bytes, that the SBOMs
// are complete, and that the program can be installed by the Go command.
//
// What is tested is what git knows: a new file counts once it is added.
package releasetest
