// Package storetest is the one test that every quota.Store passes: what it
// grants, what it keeps, what it does with reports that come twice, late or not
// at all.
//
// It knows stores by their interface alone.
package storetest
