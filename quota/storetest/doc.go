// Package storetest is the one test that every quota.Store passes: what it
// grants, what it keeps, and how it answers reports that come twice, late or not
// at all. It knows stores by their interface alone.
//
// Begin with Run, which lists the cases.
package storetest
