package httpapi

import (
	"net"
	"net/netip"

	"github.com/labstack/echo/v4"
)

// IPExtractor tells the address of whoever sent a request. X-Forwarded-For counts only as far as proxies of the list wrote it, read from
// its right end: what a client puts there itself is never believed. An empty list: the peer's own address.
func IPExtractor(trusted []netip.Prefix) echo.IPExtractor {
	if len(trusted) == 0 {
		return echo.ExtractIPDirect()
	}
	options := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for _, p := range trusted {
		options = append(options, echo.TrustIPRange(&net.IPNet{
			IP: p.Masked().Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen()),
		}))
	}
	return echo.ExtractIPFromXFFHeader(options...)
}
