// Package outputlimit decides which limit of output tokens a call gets whose caller names none.
//
// It knows numbers of tokens alone: what fits is asked of its caller. Begin with Default.Choose.
package outputlimit
