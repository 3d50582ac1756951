# SPDX-License-Identifier: Apache-2.0

# OSM_PKG(VARIABLE, SPECIFICATION, DEBIAN PACKAGE)
# Needs a library; what is missing is collected and reported in one go by OSM_PKG_REPORT.
AC_DEFUN([OSM_PKG],
  [PKG_CHECK_MODULES([$1], [$2], [:],
    [osm_missing="$osm_missing
  $2 not found: apt-get install $3"
     osm_missing_packages="$osm_missing_packages $3"])])

# OSM_NEED_PROGRAM(VARIABLE, PROGRAM, DEBIAN PACKAGE)
AC_DEFUN([OSM_NEED_PROGRAM],
  [AC_CHECK_PROG([$1], [$2], [$2], [])
   AS_IF([test -z "$$1"],
     [osm_missing="$osm_missing
  $2 not found: apt-get install $3"
      osm_missing_packages="$osm_missing_packages $3"])])

AC_DEFUN([OSM_PKG_REPORT],
  [AS_IF([test -n "$osm_missing"],
     [AC_MSG_ERROR([these are missing:
$osm_missing

All of them: apt-get install$osm_missing_packages])])])

# OSM_CFLAG(VARIABLE, FLAG...)
# Adds to VARIABLE each flag that the compiler knows.
AC_DEFUN([OSM_CFLAG],
  [for osm_flag in $2; do
     AC_MSG_CHECKING([whether $CC accepts $osm_flag])
     osm_save_CFLAGS=$CFLAGS
     CFLAGS="$CFLAGS $osm_flag -Werror"
     AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[#include <string.h>]], [])],
       [AC_MSG_RESULT([yes]); $1="$$1 $osm_flag"],
       [AC_MSG_RESULT([no])])
     CFLAGS=$osm_save_CFLAGS
   done])

# OSM_LDFLAG(VARIABLE, FLAG...)
AC_DEFUN([OSM_LDFLAG],
  [for osm_flag in $2; do
     AC_MSG_CHECKING([whether the linker accepts $osm_flag])
     osm_save_LDFLAGS=$LDFLAGS
     LDFLAGS="$LDFLAGS $osm_flag -Werror"
     AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])],
       [AC_MSG_RESULT([yes]); $1="$$1 $osm_flag"],
       [AC_MSG_RESULT([no])])
     LDFLAGS=$osm_save_LDFLAGS
   done])

# OSM_DIR(NAME, DEFAULT, WHAT)
# --with-NAME=DIR for an installation folder.
AC_DEFUN([OSM_DIR],
  [AC_ARG_WITH([$1], [AS_HELP_STRING([--with-$1=DIR], [where $3 go [$2]])],
     [$1=$withval], [$1=$2])
   AC_SUBST([$1])])
