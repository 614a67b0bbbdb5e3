// Package sound bounds how long a recording is, from above, by walking all of it: frames, pages, clusters, fragments.
//
// What a header says of the whole counts only where it is more than what the walk found. A walk takes time linear in
// the bytes and memory that does not depend on them. What stands between frames counts at the lowest rate of the codec.
//
// It knows bytes alone. Begin with sound.go; codec.go has what single packets last.
package sound
