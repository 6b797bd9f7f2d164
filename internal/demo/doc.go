// Package demo makes up a believable web shop: a seeded past with its true totals, and live traffic through the real front door.
package demo
